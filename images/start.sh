#!/bin/sh
# start PROGRAM...: runs PROGRAM as whoever it is started as. initdb and libpq look their user up by name, and a cluster may choose an id that no
# image knows (OpenShift); so /etc/passwd of the image is a link to a file that is written here, under a root that is read-only.
cp /etc/passwd.image /tmp/passwd
id -un >/dev/null 2>&1 || printf 'redoubt%s:x:%s:%s::/var/lib/redoubt:/usr/sbin/nologin\n' "$(id -u)" "$(id -u)" "$(id -g)" >>/tmp/passwd
exec "$@"
