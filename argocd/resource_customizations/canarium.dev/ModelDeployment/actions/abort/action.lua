-- Takes the candidate back: all traffic to the stable version, then its pods.

local status = obj.status or {}
local revision = (status.candidate or {}).revision
if revision == nil then
  error("there is no candidate to abort", 0)
end

-- A token acts once. Every write gives the object another resourceVersion, this one too, so that
-- none comes twice; two clicks on the same state of the object are one command.
local annotations = obj.metadata.annotations or {}
annotations["canarium.dev/abort"] = revision .. "/" .. obj.metadata.resourceVersion
obj.metadata.annotations = annotations
return obj
