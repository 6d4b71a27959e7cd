// SPDX-License-Identifier: MIT
// What crosses the bridge, declared once: the build makes records.py of it for Python.
#ifndef RECORDS_HPP
#define RECORDS_HPP

#include "cosim/bridge/record.hpp"

#define OBSERVATION_FIELDS(F, A) \
    F(double, t_s)               \
    F(double, throughput_bps)    \
    F(double, backlog_bytes)
COSIM_RECORD(Observation, OBSERVATION_FIELDS);

#define DECISION_FIELDS(F, A) F(double, rate_bps)
COSIM_RECORD(Decision, DECISION_FIELDS);

#endif // RECORDS_HPP
