-- Continues steps and bake.

local status = obj.status or {}
local revision = (status.candidate or status.stable or {}).revision
if revision == nil then
  error("there is nothing to resume", 0)
end

-- A token acts once. Every write changes the resourceVersion of the object, so no token is repeated;
-- two clicks on the same state of the object are one command.
local annotations = obj.metadata.annotations or {}
annotations["canarium.dev/resume"] = revision .. "/" .. obj.metadata.resourceVersion
obj.metadata.annotations = annotations
return obj
