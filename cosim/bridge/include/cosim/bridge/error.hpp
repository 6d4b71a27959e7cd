// SPDX-License-Identifier: MIT
#ifndef COSIM_BRIDGE_ERROR_HPP
#define COSIM_BRIDGE_ERROR_HPP

#include <stdexcept>
#include <string>

namespace cosim::bridge
{

/// Anything that goes wrong at the bridge; the message says what to do.
class BridgeError : public std::runtime_error
{
  public:
    using std::runtime_error::runtime_error;
};

/// The other process ended, or ended the connection with an error.
class PeerDied : public BridgeError
{
  public:
    using BridgeError::BridgeError;
};

/// Nothing happened in the time allowed.
class Timeout : public BridgeError
{
  public:
    using BridgeError::BridgeError;
};

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_ERROR_HPP
