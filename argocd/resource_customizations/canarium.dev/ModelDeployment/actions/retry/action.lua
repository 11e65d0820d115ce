-- Renders the failed version again and retries it.

local status = obj.status or {}
local revision = (status.failure or {}).revision
if revision == nil then
  error("no version has failed", 0)
end

-- A token acts once. Every write changes the resourceVersion of the object, so no token is repeated;
-- two clicks on the same state of the object are one command.
local annotations = obj.metadata.annotations or {}
annotations["canarium.dev/retry"] = revision .. "/" .. obj.metadata.resourceVersion
obj.metadata.annotations = annotations
return obj
