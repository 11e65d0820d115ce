-- Lets the clocks of steps and bake go on.

local status = obj.status or {}
local revision = (status.candidate or status.stable or {}).revision
if revision == nil then
  error("there is nothing to resume", 0)
end

-- A token acts once. Every write gives the object another resourceVersion, this one too, so that
-- none comes twice; two clicks on the same state of the object are one command.
local annotations = obj.metadata.annotations or {}
annotations["canarium.dev/resume"] = revision .. "/" .. obj.metadata.resourceVersion
obj.metadata.annotations = annotations
return obj
