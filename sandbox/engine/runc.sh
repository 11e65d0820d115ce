#!/bin/sh
# runc, for machines whose bounding set lacks CAP_SYS_RESOURCE: takes it out of what is to be run.
# Used by Docker on the machine, and by containerd in kind's node. The capability is an element of
# lists in a bundle's config.json (`create`, `run`) or in the file of `exec --process`.
bundle=. file='' create=''
previous=''
for word; do
    case $previous in
    --bundle | -b) bundle=$word ;;
    --process | -p) file=$word ;;
    esac
    case $word in
    create | run) create=1 ;;
    --bundle=*) bundle=${word#*=} ;;
    --process=*) file=${word#*=} ;;
    esac
    previous=$word
done
[ -z "$create" ] || file=$bundle/config.json
if [ -n "$file" ]; then
    name='"CAP_SYS_RESOURCE"'
    sed -i -z -E "s/$name\s*,//g; s/,\s*$name//g; s/\[\s*$name\s*\]/[]/g" "$file"
fi
exec /usr/sbin/runc "$@"
