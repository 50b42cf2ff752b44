-- Results are sealed at rest: what functions return is whatever they were asked for.
UPDATE functions_tasks SET result = mayfly_seal(result, 'result of task ' || item) WHERE result IS NOT NULL;
