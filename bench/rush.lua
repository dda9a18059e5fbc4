-- SPDX-License-Identifier: Apache-2.0
-- wrk: every request books one ticket, each connection's turn with the next user's token.
-- Arguments: the file of tokens (one a line), the path, the body; a fourth, "keyed", sends a fresh Idempotency-Key.
local requests = {}
local at = 0
local keyed = false
local path, body

function init(args)
    path, body = args[2], args[3]
    keyed = args[4] == "keyed"
    math.randomseed(os.time())
    for token in io.lines(args[1]) do
        local headers = {["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json"}
        requests[#requests + 1] = keyed and headers or wrk.format("POST", path, headers, body)
    end
    run = string.format("%x%x", os.time(), math.random(0, 0xffffff))
end

function request()
    at = at % #requests + 1
    if not keyed then return requests[at] end
    count = (count or 0) + 1
    local headers = requests[at]
    headers["Idempotency-Key"] = run .. count
    return wrk.format("POST", path, headers, body)
end
