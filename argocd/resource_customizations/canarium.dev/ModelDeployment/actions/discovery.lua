-- Lists the commands that have an effect now. The operator checks them again: a command that arrives
-- too late does nothing, and status.commands states why.

local status = obj.status or {}
local metadata = obj.metadata or {}
local spec = obj.spec or {}
local candidate, failure, hold = status.candidate, status.failure, status.waitingFor or {}

-- The status of an older spec does not describe this one.
local seen = status.observedGeneration ~= nil and status.observedGeneration == metadata.generation
  and status.phase ~= "Invalid" and metadata.deletionTimestamp == nil
local rolling = seen and candidate ~= nil and status.stable ~= nil and failure == nil
local baking = seen and candidate == nil and status.previous ~= nil and failure == nil
local paused = spec.paused == true or status.pause ~= nil
local in_pause = hold.reason == "Manual" or (status.progress or {}).stepStartTime ~= nil

local function named(text, revision)
  if revision ~= nil and revision.version ~= nil then
    return text .. " (version " .. revision.version .. ")"
  end
  return text
end

-- Before the first version is promoted, a gate can wait as well.
local gate = nil
for _, one in ipairs(status.gates or {}) do
  if gate == nil and one.kind == "Approval" and one.state == "Waiting" then
    gate = one.name
  end
end
local job = nil
for _, one in ipairs(status.gates or {}) do
  if job == nil and one.kind == "Job" and one.state == "Waiting" then
    job = one.name
  end
end
local undecided = seen and failure == nil and gate ~= nil

local actions = {}
actions["promote"] = {
  ["disabled"] = not (rolling and in_pause and not paused),
  ["displayName"] = named("Promote past this pause", candidate),
  ["iconClass"] = "fa fa-fw fa-step-forward"
}
actions["promote-full"] = {
  ["disabled"] = not (rolling and not paused),
  ["displayName"] = named("Promote in full", candidate),
  ["iconClass"] = "fa fa-fw fa-fast-forward"
}
actions["abort"] = {
  ["disabled"] = not rolling,
  ["displayName"] = named("Abort the rollout", candidate),
  ["iconClass"] = "fa fa-fw fa-stop-circle"
}
actions["retry"] = {
  ["disabled"] = not (seen and failure ~= nil),
  ["displayName"] = "Retry the failed version",
  ["iconClass"] = "fa fa-fw fa-redo"
}
actions["pause"] = {
  ["disabled"] = not ((rolling or baking) and not paused),
  ["displayName"] = "Pause",
  ["iconClass"] = "fa fa-fw fa-pause-circle"
}
actions["resume"] = {
  ["disabled"] = not (seen and status.pause ~= nil and spec.paused ~= true),
  ["displayName"] = "Resume",
  ["iconClass"] = "fa fa-fw fa-play-circle"
}
actions["undo"] = {
  ["disabled"] = not baking,
  ["displayName"] = named("Undo the promotion, back", status.previous),
  ["iconClass"] = "fa fa-fw fa-undo"
}
actions["approve"] = {
  ["disabled"] = not undecided,
  ["displayName"] = "Approve" .. (gate ~= nil and " gate " .. gate or ""),
  ["iconClass"] = "fa fa-fw fa-check-circle"
}
actions["reject"] = {
  ["disabled"] = not undecided,
  ["displayName"] = "Reject" .. (gate ~= nil and " at gate " .. gate or ""),
  ["iconClass"] = "fa fa-fw fa-times-circle"
}
actions["rerun"] = {
  ["disabled"] = not (seen and failure == nil and job ~= nil),
  ["displayName"] = "Run the Job again" .. (job ~= nil and " of gate " .. job or ""),
  ["iconClass"] = "fa fa-fw fa-redo"
}
return actions
