-- Called only for payloads of more than 257 bytes: a shorter one can break neither limit.
create or replace function fairclaim.payload_fault(p_payload jsonb) returns text
language sql stable
as $$ select fairclaim.json_fault(p_payload, s.max_payload) from fairclaim.setting s $$;

comment on function fairclaim.payload_fault(jsonb) is 'Why a payload is refused (size, depth), or null.';
