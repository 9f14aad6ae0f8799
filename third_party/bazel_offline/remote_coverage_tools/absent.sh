#!/bin/sh
echo "coverage tools are not part of the offline build" >&2
exit 1
