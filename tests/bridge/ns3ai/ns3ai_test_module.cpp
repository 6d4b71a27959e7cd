// SPDX-License-Identifier: MIT
// The user's pybind11 module, in the order of includes that is usual among ns3-ai's users: pybind11
// last.
#include "ns3ai_test_structs.h"

#include <ns3/ai-module.h>

#include <pybind11/pybind11.h>

#include <cosim/ns3ai/arrays.hpp> // the three lines of docs/coming-from-ns3ai.md, here and below

namespace py = pybind11;

using Interface = ns3::Ns3AiMsgInterfaceImpl<EnvStruct, ActStruct>;

PYBIND11_MAKE_OPAQUE(Interface::Cpp2PyMsgVector);
PYBIND11_MAKE_OPAQUE(Interface::Py2CppMsgVector);

PYBIND11_MODULE(ns3ai_test_module, m)
{
    py::class_<EnvStruct>(m, "PyEnvStruct")
        .def(py::init<>())
        .def_readwrite("step", &EnvStruct::step)
        .def_readwrite("temperature", &EnvStruct::temperature);
    py::class_<ActStruct>(m, "PyActStruct")
        .def(py::init<>())
        .def_readwrite("step", &ActStruct::step)
        .def_readwrite("power", &ActStruct::power);
    py::class_<Interface::Cpp2PyMsgVector>(m, "PyEnvVector")
        .def("resize",
             static_cast<void (Interface::Cpp2PyMsgVector::*)(
                 Interface::Cpp2PyMsgVector::size_type)>(&Interface::Cpp2PyMsgVector::resize))
        .def("__len__", &Interface::Cpp2PyMsgVector::size)
        .def(
            "__getitem__",
            [](Interface::Cpp2PyMsgVector& vec, uint32_t i) -> EnvStruct& { return vec.at(i); },
            py::return_value_policy::reference);
    py::class_<Interface::Py2CppMsgVector>(m, "PyActVector")
        .def("resize",
             static_cast<void (Interface::Py2CppMsgVector::*)(
                 Interface::Py2CppMsgVector::size_type)>(&Interface::Py2CppMsgVector::resize))
        .def("__len__", &Interface::Py2CppMsgVector::size)
        .def(
            "__getitem__",
            [](Interface::Py2CppMsgVector& vec, uint32_t i) -> ActStruct& { return vec.at(i); },
            py::return_value_policy::reference);
    py::class_<Interface> interface(m, "Ns3AiMsgInterfaceImpl");
    interface
        .def(py::init<bool,
                      bool,
                      bool,
                      uint32_t,
                      const char*,
                      const char*,
                      const char*,
                      const char*>())
        .def("PyRecvBegin", &Interface::PyRecvBegin)
        .def("PyRecvEnd", &Interface::PyRecvEnd)
        .def("PySendBegin", &Interface::PySendBegin)
        .def("PySendEnd", &Interface::PySendEnd)
        .def("PyGetFinished", &Interface::PyGetFinished)
        .def("GetCpp2PyStruct", &Interface::GetCpp2PyStruct, py::return_value_policy::reference)
        .def("GetPy2CppStruct", &Interface::GetPy2CppStruct, py::return_value_policy::reference)
        .def("GetCpp2PyVector", &Interface::GetCpp2PyVector, py::return_value_policy::reference)
        .def("GetPy2CppVector", &Interface::GetPy2CppVector, py::return_value_policy::reference);
    PYBIND11_NUMPY_DTYPE(EnvStruct, step, temperature);
    PYBIND11_NUMPY_DTYPE(ActStruct, step, power);
    cosim::ns3ai::AddArrays(interface);
}
