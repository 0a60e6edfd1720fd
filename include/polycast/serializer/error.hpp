#pragma once

#include <polycast/error.hpp>

#include <cstddef>
#include <string>
#include <system_error>
#include <type_traits>

namespace polycast::inline v0 {

/// What can be wrong with a payload, or with an event that shall become one.
enum class serializer_error {
    syntax = 1,          ///< not JSON (RFC 8259) or MessagePack, or something else than objects in the frame
    invalid_utf8,        ///< text that is not UTF-8 (RFC 8259 §8.1), or names half a surrogate pair
    too_deep,            ///< nested beyond `decode_limits::max_depth`
    too_many_errors,     ///< `decode_limits::max_errors` reached; the rest of the payload was not read
    wrong_type,          ///< another kind of value than the field's
    out_of_range,        ///< a number that the field's type cannot hold, or not the array's number of elements
    unknown_enumerator,  ///< no enumerator of that name or value
    missing_field,       ///< a field that is not optional is absent
    duplicate_field,     ///< a key occurs twice in one object
    unknown_field,       ///< a key that the type lacks, where `decode_limits::refuse_unknown_fields` is set
    not_a_number,        ///< outbound: a NaN or infinite number, which JSON cannot carry
};

}  // namespace polycast::inline v0

template <>
struct std::is_error_code_enum<polycast::serializer_error> : std::true_type {};

namespace polycast::inline v0 {

class serializer_category_type final : public std::error_category {
    char const* name() const noexcept override { return "polycast.serializer"; }
    std::string message(int value) const override
    {
        switch (static_cast<serializer_error>(value)) {
        case serializer_error::syntax: return "malformed payload";
        case serializer_error::invalid_utf8: return "not UTF-8";
        case serializer_error::too_deep: return "nested too deeply";
        case serializer_error::too_many_errors: return "too many errors in one payload";
        case serializer_error::wrong_type: return "wrong type";
        case serializer_error::out_of_range: return "out of range";
        case serializer_error::unknown_enumerator: return "unknown enumerator";
        case serializer_error::missing_field: return "missing field";
        case serializer_error::duplicate_field: return "duplicate field";
        case serializer_error::unknown_field: return "unknown field";
        case serializer_error::not_a_number: return "not a number";
        }
        return "unknown serializer error";
    }
    std::error_condition default_error_condition(int value) const noexcept override
    {
        switch (static_cast<serializer_error>(value)) {
        case serializer_error::syntax:
        case serializer_error::invalid_utf8: return make_error_condition(failure::protocol);
        case serializer_error::not_a_number: return make_error_condition(failure::internal);
        default: return make_error_condition(failure::validation);
        }
    }
};

inline serializer_category_type const serializer_category{};

inline std::error_code make_error_code(serializer_error e) noexcept
{
    return {static_cast<int>(e), serializer_category};
}

/// Why an object of a payload was refused.
struct decode_error {
    std::error_code code;     ///< a `serializer_error`
    std::string path;         ///< where in the object: `data.items[3].name`; empty: the object itself
    std::string message;      ///< one line for people: what was expected
    std::size_t at_byte = 0;  ///< where in the payload
};

}  // namespace polycast::inline v0
