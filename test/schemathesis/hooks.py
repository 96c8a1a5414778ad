"""What Schemathesis is told of the API beyond its description."""

import schemathesis


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Most requests are about what there is: an unknown name only ever answers 404."""
    if not path_parameters:
        return path_parameters
    steps = context.operation.path.split("/")
    for parameter, there in (("connection", "mock"), ("name", "my-" + steps[4][:-1] if len(steps) > 4 else "mock")):
        if len(path_parameters.get(parameter) or "") % 4:
            path_parameters[parameter] = there
    return path_parameters


@schemathesis.hook
def filter_case(context, case):
    """null is taken as if the field were absent, as most clients of APIs write it."""
    return not (isinstance(case.body, dict) and None in case.body.values())
