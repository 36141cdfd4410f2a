"""The schema, as it is printed; reports are held against it in test_terminal."""

import json

import jsonschema

from tensorbridge_cli.catalog import hazards
from tensorbridge_cli.encoding import report_schema
from tests.cli.tools import run


def test_it_is_the_json_schema_of_a_report():
    schema = json.loads(run("schema", PYTHONIOENCODING="ascii").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema == json.loads(json.dumps(report_schema(hazards.BY_NAME)))  # which has tuples
