-- Undoes the promotion while the version before is still warm.

local status = obj.status or {}
local revision = (status.stable or {}).revision
if revision == nil then
  error("no version is promoted", 0)
end

-- A token acts once. Every write gives the object another resourceVersion, this one too, so that
-- none comes twice; two clicks on the same state of the object are one command.
local annotations = obj.metadata.annotations or {}
annotations["canarium.dev/undo"] = revision .. "/" .. obj.metadata.resourceVersion
obj.metadata.annotations = annotations
return obj
