// SPDX-License-Identifier: MIT
/**
 * \file
 * The public interface of ns3-ai's message interface, over the bridge's shared memory: programs
 * written for it compile and run unchanged. See docs/coming-from-ns3ai.md.
 *
 * Order of use: C++ calls CppSendBegin, writes, CppSendEnd, CppRecvBegin, reads, CppRecvEnd; Python
 * mirrors it with PyRecvBegin, PyRecvEnd, PySendBegin, PySendEnd.
 *
 * It needs neither ns-3 nor Python: the ns-3 program and the pybind11 module include the same file.
 */
#ifndef COSIM_NS3_AI_MODULE_H
#define COSIM_NS3_AI_MODULE_H

#include "cosim/ns3ai/connection.hpp"
#include "cosim/ns3ai/python_half.hpp"
#include "cosim/ns3ai/shared_vector.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace ns3
{

/**
 * Structs, or vectors of structs, from C++ to Python and back.
 *
 * \tparam Cpp2PyMsgType plain data that C++ writes
 * \tparam Py2CppMsgType plain data that Python writes
 */
template <typename Cpp2PyMsgType, typename Py2CppMsgType> class Ns3AiMsgInterfaceImpl
{
    static_assert(
        std::is_trivially_copyable_v<Cpp2PyMsgType> && std::is_trivially_copyable_v<Py2CppMsgType>,
        "a struct that crosses processes is plain data: no pointers' owners, no strings, no "
        "containers in it");
    using Python = cosim::ns3ai::PythonHalf<Ns3AiMsgInterfaceImpl>;
    using Cpp = cosim::ns3ai::CppHalf;

  public:
    using Cpp2PyMsgVector = cosim::ns3ai::SharedVector<Cpp2PyMsgType>;
    using Py2CppMsgVector = cosim::ns3ai::SharedVector<Py2CppMsgType>;

    Ns3AiMsgInterfaceImpl() = delete;

    /**
     * \param isMemoryCreator whether this process makes the memory; Python's does in stock programs
     * \param useVector vectors of structs rather than one struct each way
     * \param handleFinish whether an orderly end of the program is told by PyGetFinished
     * \param size bytes that a vector can have at least; more is taken as it grows
     * \param segment a name, and so are the other three; they matter only for programs that are not
     * started by ns3ai_utils.Experiment
     * \param cpp2py see segment
     * \param py2cpp see segment
     * \param lockable see segment
     */
    explicit Ns3AiMsgInterfaceImpl(bool isMemoryCreator,
                                   bool useVector,
                                   bool handleFinish,
                                   uint32_t size = 4096,
                                   const char* segment = "My Seg",
                                   const char* cpp2py = "My Cpp to Python Msg",
                                   const char* py2cpp = "My Python to Cpp Msg",
                                   const char* lockable = "My Lockable")
        : m_connection(isMemoryCreator,
                       useVector,
                       size,
                       sizeof(Cpp2PyMsgType),
                       sizeof(Py2CppMsgType),
                       {segment, cpp2py, py2cpp, lockable}),
          m_useVector(useVector),
          m_handleFinish(handleFinish),
          m_cpp2py(m_connection, m_connection.Shared().cpp2py),
          m_py2cpp(m_connection, m_connection.Shared().py2cpp)
    {
        if (isMemoryCreator && !useVector)
        {
            m_cpp2py.resize(1);
            m_py2cpp.resize(1);
        }
    }

    /// \return the struct that C++ writes.
    Cpp2PyMsgType* GetCpp2PyStruct()
    {
        Check(false);
        return m_cpp2py.data();
    }

    /// \return the struct that Python writes.
    Py2CppMsgType* GetPy2CppStruct()
    {
        Check(false);
        return m_py2cpp.data();
    }

    /// \return the vector that C++ writes; either side may resize it.
    Cpp2PyMsgVector* GetCpp2PyVector()
    {
        Check(true);
        return &m_cpp2py;
    }

    /// \return the vector that Python writes; either side may resize it.
    Py2CppMsgVector* GetPy2CppVector()
    {
        Check(true);
        return &m_py2cpp;
    }

    /// \return what C++ writes, as a vector also of one struct; see AddArrays.
    Cpp2PyMsgVector& Cpp2PyMemory()
    {
        return m_cpp2py;
    }

    /// \return what Python writes, as a vector also of one struct; see AddArrays.
    Py2CppMsgVector& Py2CppMemory()
    {
        return m_py2cpp;
    }

    /// Waits until Python has read the last message.
    void CppSendBegin()
    {
        Begun(m_connection.BeginSend<Cpp>(Shared().cpp2py, "CppSend"), "CppSend");
    }

    void CppSendEnd()
    {
        m_connection.EndSend(Shared().cpp2py, "CppSend");
    }

    /// Waits for Python's message.
    void CppRecvBegin()
    {
        Begun(m_connection.BeginReceive<Cpp>(Shared().py2cpp, "CppRecv"), "CppRecv");
    }

    void CppRecvEnd()
    {
        m_connection.EndReceive(Shared().py2cpp, "CppRecv");
    }

    /// Tells Python that there will be no more messages; the destructor does it too.
    void CppSetFinished()
    {
        m_connection.End();
    }

    /// Waits for a message of C++, or for its end (PyGetFinished).
    void PyRecvBegin()
    {
        const bool message = m_connection.BeginReceive<Python>(Shared().cpp2py, "PyRecv");
        if (!message)
        {
            Begun(m_handleFinish, "PyRecv");
            Shared().finished.store(1, std::memory_order_relaxed);
        }
    }

    void PyRecvEnd()
    {
        m_connection.EndReceive(Shared().cpp2py, "PyRecv");
    }

    /// Waits until C++ has read the last message.
    void PySendBegin()
    {
        Begun(m_connection.BeginSend<Python>(Shared().py2cpp, "PySend"), "PySend");
    }

    void PySendEnd()
    {
        m_connection.EndSend(Shared().py2cpp, "PySend");
    }

    /// \return whether the last PyRecvBegin found the end instead of a message.
    bool PyGetFinished()
    {
        return Shared().finished.load(std::memory_order_relaxed) != 0;
    }

  private:
    cosim::ns3ai::Turns& Shared()
    {
        return m_connection.Shared().turns;
    }

    void Check(bool vector) const
    {
        if (vector != m_useVector)
        {
            throw cosim::bridge::BridgeError(
                vector
                    ? "ns3-ai: a vector of an interface of structs: SetUseVector(true) in C++ and "
                      "Experiment(useVector=True) in Python give vectors"
                    : "ns3-ai: a struct of an interface of vectors: SetUseVector(false) in C++ and "
                      "Experiment(useVector=False) in Python give structs");
        }
    }

    /// The other half's orderly end is an error where a message must follow.
    static void Begun(bool alive, const char* what)
    {
        if (!alive)
        {
            throw cosim::bridge::PeerDied(std::string("ns3-ai: the other half has ended, so ") +
                                          what + "Begin() would wait for ever" +
                                          (what[0] == 'P' ? " (handleFinish=True in both halves "
                                                            "makes it an orderly end)"
                                                          : ""));
        }
    }

    cosim::ns3ai::Connection m_connection;
    bool m_useVector;
    bool m_handleFinish;
    Cpp2PyMsgVector m_cpp2py;
    Py2CppMsgVector m_py2cpp;
};

/// The C++ program's one interface; it is made at the first GetInterface and ends with the program.
class Ns3AiMsgInterface
{
  public:
    static Ns3AiMsgInterface* Get()
    {
        static Ns3AiMsgInterface instance;
        return &instance;
    }

    void SetIsMemoryCreator(bool isMemoryCreator)
    {
        m_isMemoryCreator = isMemoryCreator;
    }

    void SetUseVector(bool useVector)
    {
        m_useVector = useVector;
    }

    void SetHandleFinish(bool handleFinish)
    {
        m_handleFinish = handleFinish;
    }

    void SetMemorySize(uint32_t size)
    {
        m_size = size;
    }

    void SetNames(std::string segment, std::string cpp2py, std::string py2cpp, std::string lockable)
    {
        m_names = {std::move(segment), std::move(cpp2py), std::move(py2cpp), std::move(lockable)};
    }

    template <typename Cpp2PyMsgType, typename Py2CppMsgType>
    Ns3AiMsgInterfaceImpl<Cpp2PyMsgType, Py2CppMsgType>* GetInterface()
    {
        static Ns3AiMsgInterfaceImpl<Cpp2PyMsgType, Py2CppMsgType> interface(
            m_isMemoryCreator,
            m_useVector,
            m_handleFinish,
            m_size,
            m_names.segment.c_str(),
            m_names.cpp2py.c_str(),
            m_names.py2cpp.c_str(),
            m_names.lockable.c_str());
        return &interface;
    }

  private:
    Ns3AiMsgInterface() = default;

    bool m_isMemoryCreator = false;
    bool m_useVector = false;
    bool m_handleFinish = false;
    uint32_t m_size = 4096;
    cosim::ns3ai::Names m_names{
        "My Seg", "My Cpp to Python Msg", "My Python to Cpp Msg", "My Lockable"};
};

} // namespace ns3

#endif // COSIM_NS3_AI_MODULE_H
