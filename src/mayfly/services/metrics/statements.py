"""Every SQL statement of metrics and alarms, by name."""

# Series.
FIND_SERIES = (
    "SELECT id, last_at FROM metrics_series"
    " WHERE namespace = :namespace AND name = :name AND dimensions = :dimensions AND unit = :unit"
)
SERIES_OF_METRIC = (
    "SELECT id, unit FROM metrics_series WHERE namespace = :namespace AND name = :name AND dimensions = :dimensions"
)
NEXT_SERIES_ID = "SELECT coalesce(max(id), 0) + 1 FROM metrics_series"
INSERT_SERIES = (
    "INSERT INTO metrics_series (id, namespace, name, dimensions, unit, last_at)"
    " VALUES (:id, :namespace, :name, :dimensions, :unit, :at)"
)
TOUCH_SERIES = "UPDATE metrics_series SET last_at = :at WHERE id = :id AND last_at < :at"
# Metrics in order, each once whatever its units.
LIST_SERIES = (
    "SELECT namespace, name, dimensions, max(last_at) FROM metrics_series"
    " WHERE (namespace, name, dimensions) > (:namespace, :name, :dimensions) AND last_at >= :since"
    " GROUP BY namespace, name, dimensions ORDER BY namespace, name, dimensions LIMIT :limit"
)
LIST_SERIES_OF_NAMESPACE = (
    "SELECT namespace, name, dimensions, max(last_at) FROM metrics_series"
    " WHERE namespace = :only AND (name, dimensions) > (:name, :dimensions) AND last_at >= :since"
    " GROUP BY namespace, name, dimensions ORDER BY namespace, name, dimensions LIMIT :limit"
)
FORGET_SERIES = (
    "DELETE FROM metrics_series WHERE last_at < :before"
    " AND NOT EXISTS (SELECT 1 FROM metrics_points WHERE series = metrics_series.id)"
)

# Points.
FIND_SKETCH = "SELECT sketch FROM metrics_points WHERE series = :series AND at = :at AND span_s = :span_s"
ADD_POINT = (
    "INSERT INTO metrics_points (series, at, span_s, samples, total, minimum, maximum, sketch)"
    " VALUES (:series, :at, :span_s, :samples, :total, :minimum, :maximum, :sketch)"
    " ON CONFLICT (series, at, span_s) DO UPDATE SET"
    " samples = metrics_points.samples + excluded.samples, total = metrics_points.total + excluded.total,"
    " minimum = CASE WHEN excluded.minimum < metrics_points.minimum THEN excluded.minimum"
    " ELSE metrics_points.minimum END,"
    " maximum = CASE WHEN excluded.maximum > metrics_points.maximum THEN excluded.maximum"
    " ELSE metrics_points.maximum END,"
    " sketch = excluded.sketch"
)
POINTS = (
    "SELECT at, span_s, samples, total, minimum, maximum, sketch FROM metrics_points"
    " WHERE series = :series AND at >= :since AND at < :until ORDER BY at LIMIT :limit"
)
OLD_POINTS = (
    "SELECT series, at, samples, total, minimum, maximum, sketch FROM metrics_points"
    " WHERE span_s = :span_s AND at < :before ORDER BY at LIMIT :limit"
)
DELETE_POINT = "DELETE FROM metrics_points WHERE series = :series AND at = :at AND span_s = :span_s"

# Alarms.
FIND_ALARM = "SELECT content FROM metrics_alarms WHERE name = :name"
PUT_ALARM = (
    "INSERT INTO metrics_alarms (name, kind, revision, every_s, state, content)"
    " VALUES (:name, :kind, :revision, :every_s, :state, :content)"
    " ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, revision = excluded.revision, every_s = excluded.every_s,"
    " state = excluded.state, content = excluded.content"
)
CHANGE_ALARM = (
    "UPDATE metrics_alarms SET revision = :revision, state = :state, content = :content"
    " WHERE name = :name AND revision = :before"
)
DELETE_ALARM = "DELETE FROM metrics_alarms WHERE name = :name"
# The prefix is the half-open range [:low, :high).
LIST_ALARMS = (
    "SELECT content FROM metrics_alarms WHERE name > :after AND name >= :low AND name < :high"
    " ORDER BY name LIMIT :limit"
)
ALARMS_OF_INTERVAL = (
    "SELECT content FROM metrics_alarms WHERE every_s = :every_s AND name > :after ORDER BY name LIMIT :limit"
)
PARENTS = "SELECT parent FROM metrics_alarm_children WHERE child = :child ORDER BY parent"
CHILDREN = "SELECT child FROM metrics_alarm_children WHERE parent = :parent ORDER BY child"
ADD_CHILD = "INSERT INTO metrics_alarm_children (parent, child) VALUES (:parent, :child)"
FORGET_CHILDREN = "DELETE FROM metrics_alarm_children WHERE parent = :parent"

# History.
NEXT_HISTORY_ID = "SELECT coalesce(max(id), 0) + 1 FROM metrics_alarm_history"
ADD_HISTORY = (
    "INSERT INTO metrics_alarm_history (id, alarm, kind, at, item, summary, data)"
    " VALUES (:id, :alarm, :kind, :at, :item, :summary, :data)"
)
_HISTORY = (
    "SELECT id, alarm, kind, at, item, summary, data FROM metrics_alarm_history WHERE at >= :since AND at <= :until"
)
HISTORY_DOWN = f"{_HISTORY} AND id < :after ORDER BY id DESC LIMIT :limit"
HISTORY_UP = f"{_HISTORY} AND id > :after ORDER BY id LIMIT :limit"
HISTORY_OF_DOWN = f"{_HISTORY} AND alarm = :alarm AND id < :after ORDER BY id DESC LIMIT :limit"
HISTORY_OF_UP = f"{_HISTORY} AND alarm = :alarm AND id > :after ORDER BY id LIMIT :limit"
EXPIRE_HISTORY = "DELETE FROM metrics_alarm_history WHERE at < :before"

# Sources.
FIND_POSITION = "SELECT position FROM metrics_sources WHERE name = :name"
PUT_POSITION = (
    "INSERT INTO metrics_sources (name, position) VALUES (:name, :position)"
    " ON CONFLICT (name) DO UPDATE SET position = excluded.position"
)
