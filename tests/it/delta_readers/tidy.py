"""What a Delta program does to tidy a table up, to each table of an archive: the PyPI package deltalake merges its files, sorts them, writes a
checkpoint, deletes files that were replaced, and what of the log it may.

tidy.py ARCHIVE. Prints how many files it took out of the logs.
"""

import os
import sys

from deltalake import DeltaTable

# Columns that files are sorted by, where somebody looks for them.
SORTED = {"UnifiedAuditLog": "UserId", "CloudAppEvents": "AccountId", "LabelEvents": "UserId", "Alerts": "RuleId"}

taken = 0
for name in sorted(os.listdir(sys.argv[1])):
    path = os.path.join(sys.argv[1], name)
    if not os.path.isdir(os.path.join(path, "_delta_log")):
        continue
    taken += DeltaTable(path).optimize.compact()["numFilesRemoved"]
    if name in SORTED:
        taken += DeltaTable(path).optimize.z_order([SORTED[name]])["numFilesRemoved"]
    table = DeltaTable(path)
    table.create_checkpoint()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    table.cleanup_metadata()
print(taken)
