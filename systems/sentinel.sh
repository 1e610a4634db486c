#!/bin/sh
# One sentinel of three; it keeps what it learns in its own file.
set -e
settings=/data/sentinel.conf
if [ ! -s "$settings" ]; then
    cat >"$settings" <<END
bind 0.0.0.0
port 26379
protected-mode no
dir /data
sentinel announce-ip {address}
sentinel monitor main {address:store:0} 6379 2
sentinel down-after-milliseconds main 5000
sentinel failover-timeout main 10000
END
    sync "$settings" /data
fi
exec /usr/bin/redis-sentinel "$settings"
