"""Print a JSON object: for each file below /etc, its digest (a link's target) and its time."""

import hashlib
import json
import os

found = {}
for folder, _, names in os.walk("/etc"):
    for path in (os.path.join(folder, name) for name in names):
        if os.path.islink(path):
            content = os.readlink(path)
        else:
            with open(path, "rb") as stream:
                content = hashlib.sha256(stream.read()).hexdigest()
        found[path] = [content, os.lstat(path).st_mtime_ns]
print(json.dumps(found))
