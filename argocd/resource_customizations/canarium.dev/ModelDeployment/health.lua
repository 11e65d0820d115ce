-- The health of a ModelDeployment, judged by its conditions; phase and message are only shown.
-- What the conditions mean: docs/guides/argocd.md and the ModelDeployment reference of Canarium.

local function answer(health, message)
  return {status = health, message = message}
end

local metadata = obj.metadata or {}
local status = obj.status
if metadata.deletionTimestamp ~= nil then
  -- A deletion that takes long is reported with what it waits for; `Terminating` is the phase then.
  if type(status) == "table" and status.phase == "Terminating" and type(status.message) == "string" then
    return answer("Progressing", "Terminating: " .. status.message)
  end
  return answer("Progressing", "being deleted")
end

if type(status) ~= "table" or status.observedGeneration ~= metadata.generation then
  return answer("Progressing", "waiting for the operator to see this spec")
end

local conditions = {}
if type(status.conditions) == "table" then
  for _, condition in ipairs(status.conditions) do
    if type(condition) == "table" and condition.type ~= nil then
      conditions[condition.type] = condition
    end
  end
end

local function holds(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

local message = status.phase or "Pending"
if type(status.message) == "string" and status.message ~= "" then
  message = message .. ": " .. status.message
end

-- Stalled: an invalid spec, or a version that failed. RolledBack: it failed, and gets no traffic
-- any more; another reason than NotRolledBack: that is on its way, or blocked.
local rolled_back = conditions["RolledBack"] or {}
if holds("Stalled") or (rolled_back.reason or "NotRolledBack") ~= "NotRolledBack" then
  return answer("Degraded", message)
end

-- A version was promoted, no endpoint is ready, and the spec asks for no such time.
local available = conditions["Available"] or {}
local expected = {
  NoVersionPromoted = true, Recreating = true, ScaledToZero = true, ScalingUp = true
}
if available.status == "False" and not expected[available.reason or "ScaledToZero"] then
  return answer("Degraded", message)
end

local hold = status.waitingFor or {}
local spec = obj.spec or {}
local decisions = { Manual = true, WaitingForApproval = true, GateTimedOut = true }
local waits = spec.paused == true or status.pause ~= nil or decisions[hold.reason or ""] == true

-- The promoted version has lost all its pods, and another one answers. While a candidate moves in,
-- that may be meant; one that is held does not move in.
local covered = available.reason == "Serving"
if covered and status.stableUnavailableStartTime ~= nil and (status.candidate == nil or waits) then
  return answer("Degraded", message)
end

if waits or hold.reason == "ScaledToZero" then
  return answer("Suspended", message)
end

if holds("Ready") then
  return answer("Healthy", message)
end
return answer("Progressing", message)
