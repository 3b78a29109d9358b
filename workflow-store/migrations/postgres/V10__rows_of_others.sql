-- Other applications insert rows, whatever their search path is.
ALTER FUNCTION workflows_pass_owner_on() SET search_path FROM CURRENT;
ALTER FUNCTION workflows_take_owner() SET search_path FROM CURRENT;
