-- Skips the remaining steps and pauses of the candidate.

local status = obj.status or {}
local revision = (status.candidate or {}).revision
if revision == nil then
  error("there is no candidate to promote", 0)
end

-- A token acts once. Every write changes the resourceVersion of the object, so no token is repeated;
-- two clicks on the same state of the object are one command.
local annotations = obj.metadata.annotations or {}
annotations["canarium.dev/promote-full"] = revision .. "/" .. obj.metadata.resourceVersion
obj.metadata.annotations = annotations
return obj
