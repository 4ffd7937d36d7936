"""Hooks of schemathesis: why a valid request may get 422, and that every operation succeeds."""

import json
import re

import schemathesis

# rule → why the document does not state it
RULES = {
    r"must be an integer": "JSON Schema counts 3.0 as an integer",
    r"must be at (least|most) .*": "integers of 20 digits as text, and lengths of a drawn part",
    r"must not be combined with .*": "depends on another field",
    r"contradicts scheme .*": "depends on another field",
    r"applies to scheme he only.*": "depends on another field",
    r"is .* in scheme .*": "depends on another field",
    r"is .*, and .*": "depends on another field",
    r".* requires one of stddev, parent_stddev, limit": "depends on another field",
    r"explicit requires one of .*": "depends on another field",
    r"of rank \d+ has no fans: .*": "depends on another field",
    r"must have as many letters as shape has axes, \d+": "depends on another field",
    r"supports ranks 1 to 5 only, and .*": "depends on another field",
    r"must divide \d+, .*": "depends on another field",
    r"makes .*": "depends on the dtype",
    r"must be an integer from .*": "depends on the dtype",
    r"must have a magnitude of at most .*": "depends on the dtype",
    r"must be one of 'float32', .*": "a tensor of integers has no drawn part",
    r"must be one of auto, .*": "schemes have many spellings",
    r"must name an activation function": "activations have many spellings",
    r"must have at most \d+ elements in total.*": "a setting of the service",
    r"must be at most 1024 bytes of UTF-8": "JSON Schema counts characters",
    r"must not contain \.\., .*": "a pattern would not be readable",
    r"is reserved for the metadata of safetensors files": "a pattern would not be readable",
    r"must be the id of a published model": "depends on what is published",
    r"must stay within the axis, .*": "depends on the shape",
    r"must not be empty: start must be less than stop": "depends on the shape",
    r"must have at most one slice for each axis of shape, \d+": "depends on the shape",
    r"must match the tensor on all axes but .*": "depends on the shape",
    r"must have \d+ (rows|indices of axis \d) in total": "depends on the shape",
    r"must be less than .*": "depends on another field, or on the shape",
    r"must leave .*": "depends on another field",
    r"leaves no .*": "depends on the dtype",
    r"is required: .*": "depends on another field",
    r"has (at most|no space).*": "depends on another field, or on the layout",
    r"requires a .*": "depends on the layout, or on the shape",
    r"must have (a D, H or W|an I) axis.*": "depends on the layout",
    r"must have at least (2 axes|as many outputs) .*": "depends on the scheme",
    r"must be one number, or one for each .*": "depends on the layout",
    r"takes (about )?.*": "depends on the shape",
    r"is not an option of values .*": "depends on another field",
    r"must have (positions|a multiple|\d+ places).*": "depends on another field",
    r"must be a floating-point format .*": "depends on another field",
    r"must be from 1.*": "floating-point options of one rule of values",
    r"must slice axis .*": "depends on the shape",
    r"repeats .*": "depends on another tensor",
    r"must be unique": "depends on another tensor",
    r"is allowed only in .*": "depends on the recipe",
    r"must be one of gpt2, .*": "a table of the service, which a release may lengthen",
    r"must be one of recipe .*": "depends on the recipe",
    r"needs .*": "depends on the recipe, and on the tensors beside",
    r"must be split, .*": "depends on the recipe",
}
KNOWN = re.compile("|".join(RULES))


@schemathesis.hook
def filter_query(_context, query):
    """Leave out a query with an empty object: nothing of it is sent, so the service cannot refuse it."""
    return not any(value == {} for value in (query or {}).values())


@schemathesis.check
def refuses_by_a_known_rule(_context, response, case):
    """Fail if a request that the document allows breaks a rule that the document could state."""
    if response.status_code != 422 or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    # Names, sizes and roles of recipes are a table of the service, which a release may lengthen.
    unknown = [
        error
        for error in json.loads(response.content)["errors"]
        if not (KNOWN.fullmatch(error["rule"]) or re.match(r"recipe\b|.*\.(role|layer)$", error["field"]))
    ]
    assert not unknown, unknown


@schemathesis.check
class EveryOperationSucceeds:
    """Fail if an operation never succeeded, because then only its errors were tested."""

    def __init__(self):
        self.lowest = {}

    def after_response(self, _context, response, case):
        """Note the lowest status of each operation."""
        name = case.operation.label
        self.lowest[name] = min(response.status_code, self.lowest.get(name, response.status_code))

    def after_run(self, _context):
        """Check the lowest statuses."""
        failed = sorted(name for name, status in self.lowest.items() if status >= 400)
        assert not failed, f"Operations that never succeeded: {', '.join(failed)}"
