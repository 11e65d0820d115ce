-- Tries the version that failed once more, rendered afresh.

local status = obj.status or {}
local revision = (status.failure or {}).revision
if revision == nil then
  error("no version has failed", 0)
end

-- A token acts once. Every write gives the object another resourceVersion, this one too, so that
-- none comes twice; two clicks on the same state of the object are one command.
local annotations = obj.metadata.annotations or {}
annotations["canarium.dev/retry"] = revision .. "/" .. obj.metadata.resourceVersion
obj.metadata.annotations = annotations
return obj
