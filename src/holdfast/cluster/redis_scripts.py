"""What a Redis server does in one step for each call of a lease store.

Seven keys: hashes of boot id (member, accounts, renewals) and of account (holder, turn, wanted),
and the version. A script that fails must not have written before: what may fail comes first. Not
here: who calls them (cluster.redis).
"""

from __future__ import annotations

from typing import Final

from holdfast.cluster.port import ANY

VERSION: Final = "1"
KEYS: Final = ("member", "accounts", "renewals", "holder", "turn", "wanted", "version")
OTHER_VERSION: Final = "OTHERVERSION"
GARBAGE_S: Final = 7 * 86_400
"""A server that is shared is left clean so long after the last renewal; never a lease's end."""

_PRELUDE: Final = f"""
local member, accounts, renewals, holder, turn, wanted, version = unpack(KEYS)
local known = redis.call('GET', version)
if known and known ~= '{VERSION}' then
    return redis.error_reply('{OTHER_VERSION} ' .. known)
end
local function keep()
    redis.call('SET', version, '{VERSION}')
    for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, {GARBAGE_S}) end
end
local function is_still(account, boot_id, seen_turn)
    return redis.call('HGET', holder, account) == boot_id
        and redis.call('HGET', turn, account) == seen_turn
end
local function may_lead(boot_id, account)
    local named = redis.call('HGET', accounts, boot_id)
    return named and string.find(named, ',' .. account .. ',', 1, true)
end
local function is_open(plan)
    return string.sub(plan, 1, {len(ANY)}) == '{ANY}'
end
local function give(account, to)
    redis.call('HINCRBY', turn, account, 1)
    redis.call('HSET', holder, account, to)
    local plan = redis.call('HGET', wanted, account)
    if plan == to or (to ~= '' and plan and is_open(plan)) then
        redis.call('HSET', wanted, account, '')
    end
end
local function call_off(boot_id)
    local all = redis.call('HGETALL', wanted)
    for i = 1, #all, 2 do
        if all[i + 1] == boot_id then redis.call('HSET', wanted, all[i], '') end
    end
end
local function held_by(boot_id)
    local all, held = redis.call('HGETALL', holder), {{}}
    for i = 1, #all, 2 do
        if all[i + 1] == boot_id then held[#held + 1] = all[i] end
    end
    return held
end
local function remove(boot_id)
    for _, key in ipairs({{member, accounts, renewals}}) do redis.call('HDEL', key, boot_id) end
    call_off(boot_id)
end
"""

# boot id, body, ",account,account,", accounts one by one
JOIN: Final = f"""{_PRELUDE}
local boot_id, body = ARGV[1], ARGV[2]
local there = redis.call('HGET', member, boot_id)
if there and (there ~= body or redis.call('HGET', renewals, boot_id) ~= '0') then return 0 end
redis.call('HSET', member, boot_id, body)
redis.call('HSET', accounts, boot_id, ARGV[3])
redis.call('HSET', renewals, boot_id, 0)
for i = 4, #ARGV do
    redis.call('HSETNX', turn, ARGV[i], 0)
    redis.call('HSETNX', holder, ARGV[i], '')
    redis.call('HSETNX', wanted, ARGV[i], '')
end
keep()
return 1
"""

# boot id
RENEW: Final = f"""{_PRELUDE}
local boot_id = ARGV[1]
if redis.call('HEXISTS', member, boot_id) == 0 then return false end
redis.call('HINCRBY', renewals, boot_id, 1)
keep()
local claims = {{}}
for _, account in ipairs(held_by(boot_id)) do
    claims[#claims + 1] = {{account, boot_id, redis.call('HGET', turn, account) or '0',
        redis.call('HGET', wanted, account) or ''}}
end
return claims
"""

VIEW: Final = f"""{_PRELUDE}
local all = {{}}
for i = 1, 6 do all[i] = redis.call('HGETALL', KEYS[i]) end
return all
"""

# boot id, boot id of the member they are taken from or '', its renewals, (account, holder, turn)…
TAKE: Final = f"""{_PRELUDE}
local boot_id, of = ARGV[1], ARGV[2]
if redis.call('HEXISTS', member, boot_id) == 0 then return {{}} end
if of ~= '' and redis.call('HGET', renewals, of) ~= ARGV[3] then return {{}} end
local taken = {{}}
for i = 4, #ARGV, 3 do
    local account, from = ARGV[i], ARGV[i + 1]
    local is_of = from == of
    if of == '' then is_of = redis.call('HEXISTS', member, from) == 0 end
    if is_of and is_still(account, from, ARGV[i + 2]) then
        give(account, boot_id)
        taken[#taken + 1] = account
    end
end
return taken
"""

# account, holder, turn, boot id of the successor
HAND: Final = f"""{_PRELUDE}
local account, to = ARGV[1], ARGV[4]
if not is_still(account, ARGV[2], ARGV[3]) then return 0 end
if to ~= '' and not may_lead(to, account) then return 0 end
give(account, to)
return 1
"""

# account, boot id of the successor, and perhaps the plan that has to be there still
PLAN: Final = f"""{_PRELUDE}
local account, to = ARGV[1], ARGV[2]
local now = redis.call('HGET', holder, account)
if not now then return 0 end
if to ~= '' and not is_open(to) and not may_lead(to, account) then return 0 end
if ARGV[3] and ARGV[3] ~= (redis.call('HGET', wanted, account) or '') then return 0 end
if now == to then to = '' end
redis.call('HSET', wanted, account, to)
return 1
"""

# boot id
LEAVE: Final = f"""{_PRELUDE}
if redis.call('HEXISTS', member, ARGV[1]) == 1 then
    for _, account in ipairs(held_by(ARGV[1])) do give(account, '') end
    remove(ARGV[1])
end
return 1
"""

# boot id, renewals
FORGET: Final = f"""{_PRELUDE}
if redis.call('HGET', renewals, ARGV[1]) == ARGV[2] and #held_by(ARGV[1]) == 0 then
    remove(ARGV[1])
end
return 1
"""
