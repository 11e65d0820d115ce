-- Decides about the first gate that waits. The admission policy asks RBAC whether Argo CD may decide;
-- Argo CD's own RBAC controls which of its users may.

local status = obj.status or {}
local gate = nil
for _, one in ipairs(status.gates or {}) do
  if gate == nil and one.kind == "Approval" and one.state == "Waiting" then
    gate = one.name
  end
end
if gate == nil or status.revision == nil then
  error("no gate waits for a decision", 0)
end

-- A token acts once. Every write changes the resourceVersion of the object, so no token is repeated;
-- two clicks on the same state of the object are one command.
local annotations = obj.metadata.annotations or {}
annotations["canarium.dev/approve"] = status.revision .. "/" .. gate .. ":" .. obj.metadata.resourceVersion
-- The name and the comment of an earlier decision are not those of this one.
annotations["canarium.dev/approval-by"] = nil
annotations["canarium.dev/approval-comment"] = nil
obj.metadata.annotations = annotations
return obj
