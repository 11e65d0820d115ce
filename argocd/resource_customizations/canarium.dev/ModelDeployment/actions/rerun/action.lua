-- Runs the Job of the first gate that waits for one again. It passes nothing by itself.

local status = obj.status or {}
local gate = nil
for _, one in ipairs(status.gates or {}) do
  if gate == nil and one.kind == "Job" and one.state == "Waiting" then
    gate = one.name
  end
end
if gate == nil or status.revision == nil then
  error("no gate waits for a Job", 0)
end

-- A token acts once. Every write changes the resourceVersion of the object, so no token is repeated;
-- two clicks on the same state of the object are one command.
local annotations = obj.metadata.annotations or {}
annotations["canarium.dev/rerun"] = status.revision .. "/" .. gate .. ":" .. obj.metadata.resourceVersion
obj.metadata.annotations = annotations
return obj
