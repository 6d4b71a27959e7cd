// SPDX-License-Identifier: MIT
/**
 * \file
 * NumPy arrays over the vectors (or structs) of ns3-ai's interface, for a user's pybind11 module:
 *
 *     PYBIND11_NUMPY_DTYPE(EnvStruct, step, temperature); // and one for the other struct
 *     cosim::ns3ai::AddArrays(interface);                 // the py::class_ of
 * Ns3AiMsgInterfaceImpl
 *
 * Then `msg.Cpp2PyArray()` and `msg.Py2CppArray()` are the shared memory itself, without a copy.
 */
#ifndef COSIM_NS3AI_ARRAYS_HPP
#define COSIM_NS3AI_ARRAYS_HPP

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

namespace cosim::ns3ai
{

/// Adds the methods Cpp2PyArray and Py2CppArray to a module's interface class.
template <class Interface, class... Options>
void AddArrays(pybind11::class_<Interface, Options...>& interface)
{
    namespace py = pybind11;
    // The array keeps the interface alive, and with it the mapping.
    interface.def("Cpp2PyArray", [](const py::object& self) {
        auto& vector = self.cast<Interface&>().Cpp2PyMemory();
        using T = typename Interface::Cpp2PyMsgVector::value_type;
        return py::array_t<T>({vector.size()}, {sizeof(T)}, vector.data(), self);
    });
    interface.def("Py2CppArray", [](const py::object& self) {
        auto& vector = self.cast<Interface&>().Py2CppMemory();
        using T = typename Interface::Py2CppMsgVector::value_type;
        return py::array_t<T>({vector.size()}, {sizeof(T)}, vector.data(), self);
    });
}

} // namespace cosim::ns3ai

#endif // COSIM_NS3AI_ARRAYS_HPP
