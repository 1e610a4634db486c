#!/bin/sh
# One Redis of three: the first is the master at first, and what Sentinel makes of that later is kept in the same file.
set -e
settings=/data/redis.conf
if [ ! -s "$settings" ]; then
    cat >"$settings" <<END
bind 0.0.0.0
port 6379
protected-mode no
dir /data
save ""
$PERSISTENCE
replica-announce-ip {address}
END
    [ "{index}" = 0 ] || echo "replicaof {address:store:0} 6379" >>"$settings"
    sync "$settings" /data
fi
exec /usr/bin/redis-server "$settings"
