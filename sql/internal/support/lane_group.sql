-- Which group of lane numbers the shared lanes of a queue have: `lane_id >> 32` of each of them.
-- Own lanes are of group 0. Two queues may share a group by chance: then their light tenants are
-- judged together, and nothing else happens.
create or replace function fairclaim_internal.lane_group(p_queue text) returns bigint
language sql immutable parallel safe
as $$ select -1 - (hashtextextended(p_queue collate "C", 0) & 1073741823) $$;

comment on function fairclaim_internal.lane_group(text) is
'The group of the shared lanes of a queue: what their lane_id shifted right by 32 bits is. Negative.';
