-- Decides about the first gate that waits. The admission policy asks RBAC whether Argo CD may; who of
-- its users may is up to its own RBAC.

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

-- A token acts once. Every write gives the object another resourceVersion, this one too, so that
-- none comes twice; two clicks on the same state of the object are one command.
local annotations = obj.metadata.annotations or {}
annotations["canarium.dev/approve"] = status.revision .. "/" .. gate .. ":" .. obj.metadata.resourceVersion
-- The name and the comment of an earlier decision are not those of this one.
annotations["canarium.dev/approval-by"] = nil
annotations["canarium.dev/approval-comment"] = nil
obj.metadata.annotations = annotations
return obj
