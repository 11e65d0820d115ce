-- Pauses steps and bake; a version that fails is still rolled back.

local status = obj.status or {}
local revision = (status.candidate or status.stable or {}).revision
if revision == nil then
  error("there is nothing to pause", 0)
end

-- A token acts once. Every write changes the resourceVersion of the object, so no token is repeated;
-- two clicks on the same state of the object are one command.
local annotations = obj.metadata.annotations or {}
annotations["canarium.dev/pause"] = revision .. "/" .. obj.metadata.resourceVersion
obj.metadata.annotations = annotations
return obj
