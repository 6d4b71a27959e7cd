// SPDX-License-Identifier: MIT
/**
 * \file
 * How the Python half waits: without the GIL, and looking after Ctrl-C.
 *
 * A C++ program includes the same header and must not need Python, and a pybind11 module may
 * include pybind11 after it. So the names of pybind11 are only declared here, and used in templates
 * that are instantiated where the module calls them.
 */
#ifndef COSIM_NS3AI_PYTHON_HALF_HPP
#define COSIM_NS3AI_PYTHON_HALF_HPP

namespace pybind11 __attribute__((visibility("hidden"))) {
    class error_already_set;
    class gil_scoped_acquire;
    class gil_scoped_release;
} // namespace pybind11

// Weak: a C++ program has no Python to find them in, and never calls them.
extern "C" int PyErr_CheckSignals(void) __attribute__((weak));
extern "C" int PyGILState_Check(void) __attribute__((weak));

namespace cosim::ns3ai
{

/// `Interface` is any class of the module; it only delays the look at pybind11's.
template <class Interface> struct PythonHalf
{
    static constexpr bool kPython = true;

    template <class Type> struct Late
    {
        using type = Type;
    };

    template <class Action> static void Pause(Action&& sleep)
    {
        if (PyGILState_Check() == 0) // the module released it itself (py::call_guard)
        {
            sleep();
            typename Late<pybind11::gil_scoped_acquire>::type held;
            CheckSignals();
            return;
        }
        {
            typename Late<pybind11::gil_scoped_release>::type released;
            sleep();
        }
        CheckSignals();
    }

  private:
    static void CheckSignals()
    {
        if (PyErr_CheckSignals() != 0)
        {
            throw typename Late<pybind11::error_already_set>::type();
        }
    }
};

} // namespace cosim::ns3ai

#endif // COSIM_NS3AI_PYTHON_HALF_HPP
