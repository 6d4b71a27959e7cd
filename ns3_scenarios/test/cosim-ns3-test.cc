// SPDX-License-Identifier: GPL-2.0-only
/**
 * \file
 * Runs the test suites of this module: `cosim-ns3-test --suite=nr-tbs`, `--list` for their names.
 */
#include "ns3/test.h"

int main(int argc, char* argv[])
{
    return ns3::TestRunner::Run(argc, argv);
}
