// SPDX-License-Identifier: MIT
// A thermostat: the program measures a room, Python sets the heater. As a user of ns3-ai writes it.
#pragma once

#include <cstdint>

struct EnvStruct
{
    uint32_t step;
    double temperature;
};

struct ActStruct
{
    uint32_t step = 0;
    double power = 0.0;
};
