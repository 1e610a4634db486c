#!/bin/sh
# What a team put before its etcd: the addresses of the cluster are looked up in the cluster, as by a DNS that keeps its
# records there. A member without data is one that somebody sets up by hand, and asks nobody.
if [ -d /var/lib/etcd/data/member ]; then
    until ETCDCTL_API=3 etcdctl --endpoints "http://{name:db}:2379" --command-timeout 1s get /skydns/cluster; do
        sleep 0.5
    done
fi
exec /usr/bin/etcd "$@"
