// SPDX-License-Identifier: GPL-2.0-only
/**
 * \file
 * Runs the module's test suites with ns-3's own runner: `cosim-ns3-test --suite=nr-tbs --verbose`.
 */
#include "ns3/test.h"

int main(int argc, char* argv[])
{
    return ns3::TestRunner::Run(argc, argv);
}
