// The one place where the bodies of Asio and Beast are compiled (19 CPU seconds, once).
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
