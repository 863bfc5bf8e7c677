"""Where data is restored to: one adapter per engine behind `tdv.targets.protocol.Target`, found by `registry`."""
