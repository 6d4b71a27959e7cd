// SPDX-License-Identifier: MIT
/**
 * \file
 * The Python side's native part: waiting, and the atomics that publish and release. Records are
 * read and written by NumPy through the same mapping; nothing here copies them.
 */
#include "native_exchange.hpp"
#include "native_side.hpp"

#include "cosim/ns3ai/layout.hpp"
#include "cosim/sim/records.hpp"

using namespace cosim::bridge;

namespace
{

template <class Record> void AddSchema(py::dict& schemas, const char* name)
{
    schemas[name] = py::make_tuple(Schema<Record>::Description(), Schema<Record>::Hash());
}

} // namespace

PYBIND11_MODULE(_bridge, module)
{
    module.doc() = "Native part of cosim.bridge.";
    const auto base =
        py::register_exception<BridgeError>(module, "BridgeError", PyExc_RuntimeError);
    py::register_exception<PeerDied>(module, "PeerDied", base.ptr());

    py::class_<NativeSide>(module, "NativeSide")
        .def(py::init<const py::buffer&, std::uint32_t>())
        .def("initialise", &NativeSide::Initialise)
        .def("join", &NativeSide::Join)
        .def("vacate", &NativeSide::Vacate)
        .def("expect", &NativeSide::Expect)
        .def("end", &NativeSide::End)
        .def("ready", &NativeSide::Ready)
        .def("state", &NativeSide::State)
        .def("directory", &NativeSide::Directory)
        .def("disown", &NativeSide::Disown)
        .def("watch", &NativeSide::Watch)
        .def("pid", &NativeSide::Pid)
        .def("wait", &NativeSide::Wait)
        .def("wait_ready", &NativeSide::WaitReady)
        .def("wait_free_slot", &NativeSide::WaitFreeSlot)
        .def("readable", &NativeSide::Readable)
        .def("release_records", &NativeSide::ReleaseRecords)
        .def("blocks", &NativeSide::Blocks)
        .def("publish", &NativeSide::Publish);

    NativeExchange::Bind(module);

    module.def("end_with_parent", [] {
        // A producer that computes when its host is killed must not go on computing. The watch
        // lasts as long as the process, so nothing may end it.
        static auto* watch = new HostWatch(OpenPidfd(::getppid()));
        static_cast<void>(watch);
    });

    module.def("link_of", &LinkOf, "Path of the link by which a named bridge is found.");

    module.attr("HEADER_BYTES") = AlignUp(sizeof(SegmentHeader), kPage);
    module.attr("NS3AI_TURNS") =
        py::make_tuple(cosim::ns3ai::kControlOffset + offsetof(cosim::ns3ai::Control, turns),
                       sizeof(cosim::ns3ai::Turns));
    module.attr("SIDES") = py::dict(py::arg("simulator") = static_cast<int>(SIMULATOR),
                                    py::arg("host") = static_cast<int>(HOST),
                                    py::arg("producer") = static_cast<int>(PRODUCER));

    using namespace cosim::sim;
    py::dict schemas;
    AddSchema<SetupRequest>(schemas, "SetupRequest");
    AddSchema<SetupPart>(schemas, "SetupPart");
    AddSchema<NodeEvent>(schemas, "NodeEvent");
    AddSchema<NodeAction>(schemas, "NodeAction");
    AddSchema<PacketDescriptor>(schemas, "PacketDescriptor");
    AddSchema<SchedulerCandidate>(schemas, "SchedulerCandidate");
    AddSchema<SchedulerDecision>(schemas, "SchedulerDecision");
    AddSchema<SlotRecord>(schemas, "SlotRecord");
    AddSchema<PacketRecord>(schemas, "PacketRecord");
    AddSchema<KpiRecord>(schemas, "KpiRecord");
    AddSchema<DeliveryRecord>(schemas, "DeliveryRecord");
    AddSchema<CounterRecord>(schemas, "CounterRecord");
    AddSchema<TruthRecord>(schemas, "TruthRecord");
    AddSchema<DirectBlock>(schemas, "DirectBlock");
    AddSchema<DirectPiece>(schemas, "DirectPiece");
    AddSchema<ChannelBlock>(schemas, "ChannelBlock");
    module.attr("SIM_SCHEMAS") = schemas;
}
