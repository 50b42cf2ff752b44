"""Stacks: CloudFormation templates, SAM included, carried out on the other services. On the wire: cloudformation.

From the text of a template to resources, in the order of the packages and modules:

- `template/`: pure. Text → plain values (`source`), SAM away (`sam`), sections and references checked (`document`,
  `references`), parameters bound (`parameters`), intrinsic functions evaluated (`intrinsics`);
- `resources/`: one module a resource type: its property schema and its create, update and delete;
- `planner`: pure. What differs between two templates, and in which order resources are to be treated;
- `records`, `statements`: what is durable;
- `driver`: carries an operation out, and resumes it after a restart;
- `operations/`: the handlers of the wire.

The stacks know the services by their wire operations only (`ports.Operations`), and act as the caller who asked.
"""
