// SPDX-License-Identifier: MIT
/**
 * \file
 * The host's end of one exchange, with as little as possible between two batches: `receive`,
 * `reply` and `send` are plain CPython methods on a pybind11 class (a pybind11 call costs several
 * times as much), and arrays are made once for each number of records.
 */
#ifndef COSIM_BRIDGE_SRC_NATIVE_EXCHANGE_HPP
#define COSIM_BRIDGE_SRC_NATIVE_EXCHANGE_HPP

#include "native_side.hpp"

#include <limits>
#include <unordered_map>

namespace cosim::bridge
{

/// Base of the Python class Exchange, which makes the views and words the errors.
class NativeExchange
{
  public:
    NativeExchange(NativeSide& side, std::uint32_t channel)
        : m_side(side),
          m_entry(side.Entry(channel, ChannelKind::EXCHANGE)),
          m_control(side.At<ExchangeControl>(m_entry.offset)),
          m_requestRecords(side.At<char>(m_entry.recordsOffset[0])),
          m_replyRecords(side.At<char>(m_entry.recordsOffset[1]))
    {
    }

    static void Bind(py::module_& module)
    {
        auto cls = py::class_<NativeExchange>(
            module, "NativeExchange", py::custom_type_setup([](PyHeapTypeObject* heap) {
                heap->ht_type.tp_iter = PyObject_SelfIter;
                heap->ht_type.tp_iternext = &Next;
            }));
        cls.def(py::init<NativeSide&, std::uint32_t>(), py::keep_alive<1, 2>())
            .def_property(
                "eager_s",
                [](const NativeExchange& self) {
                    return std::chrono::duration<double>(self.m_eager).count();
                },
                &NativeExchange::SetEager,
                kEagerDoc)
            .def("_poll", &NativeExchange::Poll)
            .def("_pending", &NativeExchange::Pending)
            .def("_attached", &NativeExchange::Attached);
        static PyMethodDef methods[] = {
            {"receive",
             reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&Receive)),
             METH_FASTCALL | METH_KEYWORDS,
             kReceiveDoc},
            {"reply", &Reply, METH_O, kReplyDoc},
            {"send", &Send, METH_NOARGS, kSendDoc},
        };
        auto* type = reinterpret_cast<PyTypeObject*>(cls.ptr());
        for (PyMethodDef& method : methods)
        {
            const auto function =
                py::reinterpret_steal<py::object>(PyDescr_NewMethod(type, &method));
            cls.attr(method.ml_name) = function;
        }
    }

  private:
    /// Bytes fetched ahead of NumPy's use.
    static constexpr std::size_t kMostAhead = 4 * kLinesAhead * kCacheLine;

    static constexpr const char* kReceiveDoc =
        R"(receive($self, /, timeout_s=inf)
--

Wait for a request; return its records, read-only and valid until `send`.

Only this channel is looked after: with streams in the same bridge use `Bridge.wait`.

Returns:
    shape [records], or None when the simulator has announced its end.

Raises:
    Timeout: no request in `timeout_s`.
    PeerDied: the simulator ended without saying so, or with an error.
    BridgeError: a stream is full, so that no request can come.
    KeyboardInterrupt: Ctrl-C.)";
    static constexpr const char* kReplyDoc =
        R"(reply($self, count, /)
--

Return zeroed records to fill in, shape [count].

Raises:
    BridgeError: more than the channel was declared for.)";
    static constexpr const char* kSendDoc =
        R"(send($self, /)
--

Send the reply (empty without `reply`); the simulator goes on.

Raises:
    BridgeError: there is no request to answer.)";

    static constexpr const char* kEagerDoc =
        R"(Seconds for which `receive` offers its core to others before it sleeps, 50e-6 at first.

A longer time than the simulator computes between two requests spares both sides the wake-up of a
sleeping core, and keeps one core busy as long as it has paid lately. At most 0.1.)";

    void SetEager(double seconds)
    {
        if (!(seconds >= 0.0 && seconds <= 0.1))
        {
            throw BridgeError("eager_s must lie between 0 and 0.1 seconds");
        }
        m_eager = std::chrono::duration_cast<std::chrono::nanoseconds>(
            std::chrono::duration<double>(seconds));
    }

    static NativeExchange& Of(PyObject* self)
    {
        auto* instance = reinterpret_cast<py::detail::instance*>(self);
        if (instance->simple_layout && instance->simple_value_holder[0] != nullptr)
        {
            return *static_cast<NativeExchange*>(instance->simple_value_holder[0]);
        }
        return py::cast<NativeExchange&>(py::handle(self)); // raises if it was not initialised
    }

    /// Runs `action` and turns what it throws into a Python error.
    template <class Action> static PyObject* Guarded(Action&& action)
    {
        try
        {
            return action();
        }
        catch (py::error_already_set& error)
        {
            error.restore();
        }
        catch (const BridgeError& error)
        {
            PyErr_SetString(py::module_::import("cosim.bridge._bridge").attr("BridgeError").ptr(),
                            error.what());
        }
        catch (const std::exception& error)
        {
            PyErr_SetString(PyExc_RuntimeError, error.what());
        }
        return nullptr;
    }

    static PyObject* Receive(PyObject* self,
                             PyObject* const* arguments,
                             Py_ssize_t count,
                             PyObject* keywords)
    {
        double timeout = std::numeric_limits<double>::infinity();
        const auto total = count + (keywords != nullptr ? PyTuple_GET_SIZE(keywords) : 0);
        if (total > 1 || (total > count && PyUnicode_CompareWithASCIIString(
                                               PyTuple_GET_ITEM(keywords, 0), "timeout_s") != 0))
        {
            PyErr_SetString(PyExc_TypeError, "receive() takes one argument, timeout_s");
            return nullptr;
        }
        if (total == 1)
        {
            timeout = PyFloat_AsDouble(arguments[0]);
            if (timeout == -1.0 && PyErr_Occurred() != nullptr)
            {
                return nullptr;
            }
        }
        return Guarded([self, timeout] { return Of(self).ReceiveArray(self, timeout); });
    }

    static PyObject* Next(PyObject* self)
    {
        return Guarded([self]() -> PyObject* {
            PyObject* array = Of(self).ReceiveArray(self, std::numeric_limits<double>::infinity());
            if (array == Py_None)
            {
                Py_DECREF(array);
                return nullptr; // no error: the iteration ends
            }
            return array;
        });
    }

    static PyObject* Reply(PyObject* self, PyObject* argument)
    {
        return Guarded([self, argument]() -> PyObject* {
            NativeExchange& exchange = Of(self);
            const auto count = PyLong_AsLongLong(argument);
            if (count == -1 && PyErr_Occurred() != nullptr)
            {
                return nullptr;
            }
            PyObject* array = exchange.View(self, 1, count);
            const auto bytes = static_cast<std::size_t>(count) * exchange.m_entry.recordBytes[1];
            Prefetch(exchange.m_replyRecords, std::min(bytes, kMostAhead), true);
            std::memset(exchange.m_replyRecords, 0, bytes);
            exchange.m_replyCount = count;
            exchange.m_used = 0;
            return array;
        });
    }

    static PyObject* Send(PyObject* self, PyObject* /*none*/)
    {
        return Guarded([self]() -> PyObject* {
            Of(self).Answer();
            Py_RETURN_NONE;
        });
    }

    /// \return the records of a request, None at the end; a new reference.
    PyObject* ReceiveArray(PyObject* self, double timeout)
    {
        std::int64_t count = Look();
        if (count < 0 || m_side.Foreign())
        {
            const char* how = nullptr;
            try
            {
                count = Wait(timeout);
                how = count == -1 ? "timeout" : count == -2 ? "end" : nullptr;
            }
            catch (const PeerDied&)
            {
                how = "died";
            }
            if (how != nullptr)
            {
                return py::handle(self).attr("_over")(how, timeout).release().ptr();
            }
        }
        Prefetch(m_requestRecords,
                 std::min(static_cast<std::size_t>(count) * m_entry.recordBytes[0], kMostAhead),
                 false);
        return View(self, 0, count);
    }

    /// \return the first `count` records of a direction; a new reference.
    PyObject* View(PyObject* self, std::size_t direction, std::int64_t count)
    {
        Cache& cache = m_views[direction];
        if (cache.lastCount != count || cache.last == nullptr)
        {
            auto found = cache.all.find(count);
            if (found == cache.all.end())
            {
                // Python says so when they are too many.
                found = cache.all.emplace(count, py::handle(self).attr("_view")(direction, count))
                            .first;
            }
            cache.last = found->second.ptr();
            cache.lastCount = count;
        }
        Py_INCREF(cache.last);
        return cache.last;
    }

    /// \return the records of the pending batch, or -1 if there is none.
    std::int64_t Poll()
    {
        m_side.CheckOwner();
        return Look();
    }

    /// \return the records of the reply that is being filled (-1: none) and its bytes of payload.
    std::pair<std::int64_t, std::uint64_t> Pending() const
    {
        return {m_replyCount, m_used};
    }

    void Attached(std::uint64_t bytes)
    {
        m_used += bytes;
    }

    /// Waits for a batch. \return its records, -1 after `timeout`, -2 when the simulator has ended
    /// (also with an error). Throws PeerDied as NativeSide::Wait does, and BridgeError when the
    /// simulator waits for room in a stream, because then no batch will ever come.
    std::int64_t Wait(double timeout)
    {
        m_side.CheckOwner();
        std::int64_t count = -1;
        unsigned looks = 0;
        const auto news = [&]() -> std::uint64_t {
            if ((count = Look()) >= 0)
            {
                return 1;
            }
            // The rest is rare and lies in other cache lines: not at every turn of a spin.
            if (++looks % 32 != 1)
            {
                return 0;
            }
            const auto state = m_side.Simulator();
            if (state == SideState::FINISHED || state == SideState::FAILED)
            {
                count = Look(); // a batch that came just before the end
                count = count >= 0 ? count : -2;
                return 1;
            }
            return 0;
        };
        const auto slow = [&]() -> std::uint64_t {
            looks = 0;
            if (const int stream = m_side.FullStream(); stream >= 0 && Look() < 0)
            {
                throw BridgeError(std::string("the stream '") +
                                  m_side.Header().directory[stream].name +
                                  "' is full, so the simulator waits and no request can come: read "
                                  "the streams too (Bridge.wait)");
            }
            return news();
        };
        m_side.WaitForSimulator(news, slow, timeout, m_eager);
        return count;
    }

    void Answer()
    {
        m_side.CheckOwner();
        if (!m_pending)
        {
            throw BridgeError(std::string("exchange '") + m_entry.name +
                              "': there is no request to answer");
        }
        m_pending = false;
        m_side.View().Answer(*m_control,
                             m_number,
                             static_cast<std::uint32_t>(std::max<std::int64_t>(m_replyCount, 0)),
                             m_used);
        m_replyCount = -1;
        m_used = 0;
    }

    std::int64_t Look()
    {
        const auto request = HostView::Request(*m_control);
        if (request == m_control->answer.load(std::memory_order_relaxed))
        {
            return -1;
        }
        m_number = request;
        m_pending = true;
        return static_cast<std::int64_t>(
            std::min<std::uint64_t>(m_control->outRecords, m_entry.capacity[0]));
    }

    /// A view costs more to make than a record to read, and batches are mostly of a few sizes.
    struct Cache
    {
        std::int64_t lastCount = -1;
        PyObject* last = nullptr; ///< borrowed from `all`
        std::unordered_map<std::int64_t, py::object> all;
    };

    NativeSide& m_side;
    std::chrono::nanoseconds m_eager = Waiter::kMostYielding;
    const ChannelEntry& m_entry;
    ExchangeControl* m_control;
    const char* m_requestRecords;
    char* m_replyRecords;
    Cache m_views[2];
    std::int64_t m_replyCount = -1;
    std::uint64_t m_used = 0;
    std::uint32_t m_number = 0;
    bool m_pending = false;
};

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_SRC_NATIVE_EXCHANGE_HPP
