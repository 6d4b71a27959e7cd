# SPDX-License-Identifier: MIT
"""Starts build/own-program and decides its rate: up slowly, down by half when bytes queue up."""

from cosim.bridge import Bridge

rate_bps = 1e6
with Bridge.create() as bridge:
    bridge.spawn(["build/own-program", "--duration=5"])
    bridge.wait_ready()
    rates = bridge.exchange("rates")
    for observations in rates:  # NumPy records in shared memory, until the simulation ends
        rate_bps = rate_bps / 2 if observations["backlog_bytes"][0] > 20e3 else rate_bps + 1e5
        rates.reply(1)["rate_bps"] = rate_bps
        rates.send()
