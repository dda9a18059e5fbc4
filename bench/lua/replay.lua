-- SPDX-License-Identifier: Apache-2.0
-- wrk: sends the requests of a file, one after the other, whichever connection is free.
--
-- A line is KIND METHOD PATH TOKEN BODY, with tabs between; TOKEN and BODY may be empty. KIND is r (reads),
-- b (books) or c (cancels). Lines marked c are sent once each, the others again and again. Arguments:
--     file=F
--     every=N   each Nth request is the next c line (0: there are none)
--     block=N laps=N   N lines are gone through so many times before the next N are (0: all, for ever)
--     from=N once=N    where to begin among the lines that repeat and among the c lines
--     keyed=1   a fresh Idempotency-Key on every request
--
-- Everything is composed before the clock starts. Answers are not looked at one by one, which would cost the
-- server's processor; wrk counts those that are not 2xx or 3xx. done() prints one line of JSON for bench/lib/load.mjs.
local again, kinds, once = {}, {}, {}
local every, block, laps, at, once_at, count = 0, 0, 0, 0, 0, 0
local key_head
sent_r, sent_b, sent_c, short = 0, 0, 0, 0 -- globals: done() asks for them

local threads = {}
function setup(thread)
    threads[#threads + 1] = thread
end

-- Keys look like the UUIDs that a page makes; a mark in their place while requests are composed.
local MARK = "00000000-0000-4000-8000-000000000000"

local function read(file, keyed)
    for line in io.lines(file) do
        local kind, method, path, token, body = line:match("^(%l)\t(%u+)\t([^\t]*)\t([^\t]*)\t(.*)$")
        local headers = {}
        if token ~= "" then headers["Authorization"] = "Bearer " .. token end
        if body ~= "" then headers["Content-Type"] = "application/json" end
        if keyed then headers["Idempotency-Key"] = MARK end
        local text = wrk.format(method, path, headers, body ~= "" and body or nil)
        if kind == "c" then
            once[#once + 1] = text
        else
            if keyed then
                local from, to = text:find(MARK, 1, true)
                text = {text:sub(1, from - 1), text:sub(to + 1)}
            end
            again[#again + 1], kinds[#kinds + 1] = text, kind
        end
    end
end

function init(arguments)
    local given = {}
    for _, argument in ipairs(arguments) do
        local name, value = argument:match("^(%l+)=(.*)$")
        given[name] = value
    end
    read(given.file, given.keyed == "1")
    every = tonumber(given.every or 0)
    at, once_at = tonumber(given.from or 0), tonumber(given.once or 0)
    block, laps = tonumber(given.block or 0), tonumber(given.laps or 0)
    if block == 0 then block, laps = #again, 1 end
    if given.keyed == "1" then
        local random = io.open("/dev/urandom", "rb")
        local a, b, c, d, e, f = random:read(6):byte(1, 6)
        random:close()
        key_head = string.format("%02x%02x%02x%02x-%02x%02x-4000-8000-", a, b, c, d, e, f)
    end
end

function request()
    count = count + 1
    if every > 0 and count % every == 0 then
        once_at = once_at + 1
        if once_at > #once then short = short + 1 end -- the bench was given too few: it says so
        sent_c = sent_c + 1
        return once[(once_at - 1) % #once + 1]
    end
    local index = (math.floor(at / (block * laps)) * block + at % block) % #again + 1
    at = at + 1
    if kinds[index] == "b" then sent_b = sent_b + 1 else sent_r = sent_r + 1 end
    local text = again[index]
    if key_head then return text[1] .. key_head .. string.format("%012x", count) .. text[2] end
    return text
end

function done(summary, latency)
    local sum = {r = 0, b = 0, c = 0, short = 0}
    for _, thread in ipairs(threads) do
        sum.r, sum.b = sum.r + thread:get("sent_r"), sum.b + thread:get("sent_b")
        sum.c, sum.short = sum.c + thread:get("sent_c"), sum.short + thread:get("short")
    end
    local errors = summary.errors
    print(string.format("RESULT {\"answered\": %d, \"bad\": %d, \"broken\": %d, \"duration_us\": %d, " ..
        "\"sent\": {\"r\": %d, \"b\": %d, \"c\": %d}, \"short\": %d, " ..
        "\"p50_us\": %d, \"p90_us\": %d, \"p99_us\": %d, \"p999_us\": %d, \"max_us\": %d}",
        summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
        summary.duration, sum.r, sum.b, sum.c, sum.short,
        latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9), latency.max))
end
