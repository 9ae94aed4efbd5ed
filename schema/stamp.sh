#!/bin/sh
# The hash of all that the generated files are made from.
cd "$(dirname "$0")" || exit 1
{ find proto -type f | LC_ALL=C sort | xargs sha256sum; sha256sum buf.yaml buf.gen.yaml tools.mod; grep 'google.golang.org/protobuf ' ../go.mod; } | sha256sum | cut -d' ' -f1
