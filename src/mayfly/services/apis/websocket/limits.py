"""The quotas of WebSocket APIs that Amazon API Gateway documents, and bounds of our own."""

from typing import Final

IDLE_S: Final = 600.0
LONGEST_S: Final = 7200.0
MESSAGE_BYTES: Final = 128 * 1024
FRAME_BYTES: Final = 32 * 1024
NEW_A_SECOND: Final = 500.0  # connections of an account
NEW_AT_ONCE: Final = 500

WAITING_BYTES: Final = 1024 * 1024  # for a client that does not read; what is more is refused to whoever sends it
AT_ONCE: Final = 8  # messages of one connection that are worked on; a client that sends more is not read meanwhile
ANSWERED_S: Final = 30.0  # within which a connection that was accepted is one
CLOSING_S: Final = 5.0  # that a client has to answer the end of a connection
LOOK_S: Final = 1.0  # between two looks at what has lasted too long
MOST_CONNECTIONS: Final = 50_000

GOING_AWAY: Final = 1001
ABNORMAL: Final = 1006
NO_STATUS: Final = 1005
