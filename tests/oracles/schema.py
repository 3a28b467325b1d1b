"""docs/ferdag.schema.json in another validator: it is a schema, and the files of experiments/ and only
right ones are right by it.

Usage: schema.py ROOT; needs jsonschema and yaml."""
import glob
import json
import sys
import jsonschema
import yaml

WRONG = ["report: {comparabel: false}", "tables: {t: {scael: 100}}", "claims: {a: {checks: [{check: abov}]}}",
         "stages: {a: {kind: knn, with: {kk: 3}}}", "stages: {a: {kind: knn, with: {k: 0}}}",
         "stages: {a: {kind: knn, in: {featuers: b}}}", "stages: {a: {kind: kn}}", "needs: {}",
         "stages: {a: {needs: {mem: 1Q}}}", "inputs: {a: {pth: x}}", "ferdag: 1"]


def main(root):
    with open(root + "/docs/ferdag.schema.json") as f:
        schema = json.load(f)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    files = sorted(glob.glob(root + "/experiments/*.yaml"))
    assert files
    for file in files:
        with open(file) as f:
            for error in validator.iter_errors(yaml.safe_load(f)):
                sys.exit(f"{file}: {list(error.path)}: {error.message[:200]}")
    for text in WRONG:
        if validator.is_valid(yaml.safe_load(text)):
            sys.exit(f"accepted: {text}")
    print(f"{len(files)} files are right, {len(WRONG)} wrong ones are refused")


main(sys.argv[1])
