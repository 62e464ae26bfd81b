--- What the pool says for itself, beside the statements of its callers.
return {
  begin = [[ BEGIN ]],
  commit = [[ COMMIT ]],
  rollback = [[ ROLLBACK ]],
  -- Is anybody there?
  ping = [[ SELECT 1 ]],
}
