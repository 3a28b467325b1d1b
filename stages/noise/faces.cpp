// See faces.h. dlib keeps of detections that overlap the best alone. Here all of a face count for
// its size: the detector knows sizes in steps of a fifth only, and their mean is finer.
#include "stages/noise/faces.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <new>
#include <utility>
#include <vector>
#include <dlib/image_processing/frontal_face_detector.h>

namespace
{
constexpr int SIDE = 48;
// Pixels added on each side by repeating the border, as faces fill the image and the detector needs
// gradients all around a face. Of 1,000 drawn faces that fill the image, it detects 84 % with 0
// pixels, 89 % with 4, 91 % with 8, and no more with 12.
constexpr int PAD = 8;
// The detector's smallest face has 80 pixels. This makes it about 18 pixels of the image; one
// detection takes time in proportion to the square.
constexpr int ENLARGE = 4;
constexpr int ENLARGED = (SIDE + 2 * PAD) * ENLARGE;
// Boxes are of one face if they share this part of the smaller one: eyes and a mouth lie inside the
// box of their face, and faces side by side share less.
constexpr float SAME_FACE = 0.35F;
// Boxes are of the same size and place, and count for the mean, if their centres lie this near,
// relative to the best box, and their sizes within a factor of 2: four steps of dlib's on each
// side.
constexpr float NEAR = 0.3F;
// A box weighs exp(STEEP * score). The size of drawn faces of 14 to 26 pixels is then right to 3 %
// for half of them and to 11 % for 19 of 20; the best box alone is right to 7 % and 19 %. Less
// steep weights are as good there, but on photographs the many weak boxes around eyes and mouth
// make a face seem smaller.
constexpr float STEEP = 3;

using detector = dlib::frontal_face_detector;
using scanner = detector::image_scanner_type;

// The padded image, enlarged by linear interpolation.
void enlarge(const uint8_t *pixels, dlib::array2d<unsigned char> &large)
{
    for (long y = 0; y < ENLARGED; y++) {
        for (long x = 0; x < ENLARGED; x++) {
            const double limit = SIDE - 1;
            double u = (static_cast<double>(x) + .5) / ENLARGE - PAD - .5;
            double v = (static_cast<double>(y) + .5) / ENLARGE - PAD - .5;
            u = std::clamp(u, 0., limit);
            v = std::clamp(v, 0., limit);
            const int left = std::min(static_cast<int>(u), SIDE - 2);
            const int top = std::min(static_cast<int>(v), SIDE - 2);
            const double right_part = u - left, low_part = v - top;
            const uint8_t *p = pixels + top * SIDE + left;
            const double high = p[0] * (1 - right_part) + p[1] * right_part;
            const double low = p[SIDE] * (1 - right_part) + p[SIDE + 1] * right_part;
            large[y][x] =
                static_cast<unsigned char>(std::lround(high * (1 - low_part) + low * low_part));
        }
    }
}

bool same_face(const face_box &a, const face_box &b)
{
    const float width = std::min(a.x + a.size, b.x + b.size) - std::max(a.x, b.x);
    const float height = std::min(a.y + a.size, b.y + b.size) - std::max(a.y, b.y);
    const float smaller = std::min(a.size, b.size);
    return width > 0 && height > 0 && width * height > SAME_FACE * smaller * smaller;
}

bool same_place(const face_box &best, const face_box &b)
{
    const float dx = std::abs(b.x + b.size / 2 - best.x - best.size / 2);
    const float dy = std::abs(b.y + b.size / 2 - best.y - best.size / 2);
    return dx < NEAR * best.size && dy < NEAR * best.size && b.size < 2 * best.size &&
           b.size > best.size / 2;
}

// A face: its best box, and the weighted sum of the logarithms of all its sizes.
struct face {
    face_box best;
    double sizes, weights;
};
} // namespace

// Unpacks the detector once for all threads: its text takes a third of a second to decode.
static const detector &unpacked_detector()
{
    static const detector unpacked = dlib::get_frontal_face_detector();
    return unpacked;
}

struct face_finder {
    detector faces;
    scanner scan;
    dlib::array2d<unsigned char> large;

    face_finder() : faces(unpacked_detector()), large(ENLARGED, ENLARGED)
    {
        scan.copy_configuration(faces.get_scanner());
    }

    std::vector<face_box> all_boxes(const uint8_t *pixels)
    {
        std::vector<face_box> boxes;
        std::vector<std::pair<double, dlib::rectangle>> windows;
        enlarge(pixels, large);
        scan.load(large);
        for (unsigned long i = 0; i < faces.num_detectors(); i++) {
            const double bias = faces.get_w(i)(scan.get_num_dimensions());
            const auto &filters = faces.get_processed_w(i).get_detect_argument();
            scan.detect(filters, windows, FACE_LEAST_SCORE + bias);
            for (const auto &w : windows) {
                const double side = static_cast<double>(w.second.width() + w.second.height()) / 2;
                boxes.push_back(
                    {static_cast<float>(static_cast<double>(w.second.left()) / ENLARGE - PAD),
                     static_cast<float>(static_cast<double>(w.second.top()) / ENLARGE - PAD),
                     static_cast<float>(side / ENLARGE), static_cast<float>(w.first - bias)});
            }
        }
        // Equal scores keep the order in which dlib reports them; it depends on the image alone.
        std::stable_sort(boxes.begin(), boxes.end(),
                         [](const face_box &a, const face_box &b) { return a.score > b.score; });
        return boxes;
    }
};

int face_finder_open(face_finder **finder, error *err)
{
    *finder = nullptr;
    try {
        *finder = new face_finder;
        return 0;
    } catch (const std::bad_alloc &) {
        return error_set(err, ENOMEM, "out of memory for the face detector");
    } catch (const std::exception &e) {
        return error_set(err, EINVAL, "cannot unpack the face detector: %s", e.what());
    }
}

void face_finder_close(face_finder *finder)
{
    delete finder;
}

int face_finder_detect(face_finder *finder, const uint8_t *pixels, face_box *boxes, int most,
                       int *found, error *err)
{
    try {
        std::vector<face> faces;
        for (const face_box &box : finder->all_boxes(pixels)) {
            const auto of = std::find_if(faces.begin(), faces.end(),
                                         [&box](const face &f) { return same_face(f.best, box); });
            if (of == faces.end()) {
                if (static_cast<int>(faces.size()) < most)
                    faces.push_back({box, std::log(box.size), 1});
            } else if (same_place(of->best, box)) {
                const double weight = std::exp(STEEP * (box.score - of->best.score));
                of->sizes += weight * std::log(box.size);
                of->weights += weight;
            }
        }
        for (size_t i = 0; i < faces.size(); i++) {
            face_box box = faces[i].best;
            const float size = static_cast<float>(std::exp(faces[i].sizes / faces[i].weights));
            box.x += (box.size - size) / 2;
            box.y += (box.size - size) / 2;
            box.size = size;
            boxes[i] = box;
        }
        *found = static_cast<int>(faces.size());
        return 0;
    } catch (const std::bad_alloc &) {
        return error_set(err, ENOMEM, "out of memory detecting faces");
    } catch (const std::exception &e) {
        return error_set(err, EINVAL, "cannot detect faces: %s", e.what());
    }
}
