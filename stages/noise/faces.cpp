// See faces.h. OpenCV's grouping of windows drops groups by fixed rules. Here every window counts,
// and windows of about the same position and size form a box.
#include "stages/noise/faces.h"

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <new>
#include <string>
#include <vector>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>
#include <unistd.h>

namespace
{
constexpr int SIDE = 48;
constexpr double SCALE_STEP = 1.1; // ratio of consecutive window sizes
constexpr double SIMILAR =
    0.3; // largest difference between windows of a box, relative to their size

struct loaded_pass {
    face_pass how;
    cv::CascadeClassifier cascade;
};

// The stage has its own threads, one per image. setNumThreads replaces OpenCV's pool of threads, so
// two calls at once would crash.
void one_thread_in_opencv()
{
    static std::once_flag done;
    std::call_once(done, [] { cv::setNumThreads(1); });
}

std::vector<cv::Rect> raw_windows(loaded_pass &pass, const uint8_t *pixels)
{
    const face_pass &how = pass.how;
    const cv::Mat image(SIDE, SIDE, CV_8U, const_cast<uint8_t *>(pixels));
    cv::Mat padded, sized;
    cv::copyMakeBorder(image, padded, how.pad, how.pad, how.pad, how.pad, cv::BORDER_REPLICATE);
    if (how.mirrored)
        cv::flip(padded, padded, 1);
    if (how.turn != 0) {
        const float middle = static_cast<float>(padded.cols - 1) / 2;
        const cv::Mat turn = cv::getRotationMatrix2D(cv::Point2f(middle, middle), how.turn, 1);
        cv::Mat turned;
        cv::warpAffine(padded, turned, turn, padded.size(), cv::INTER_LINEAR, cv::BORDER_REPLICATE);
        padded = turned;
    }
    cv::resize(padded, sized, cv::Size(), how.enlarge, how.enlarge, cv::INTER_LINEAR);
    cv::equalizeHist(sized, sized);
    int least = static_cast<int>(how.min_size * how.enlarge);
    std::vector<cv::Rect> windows;
    pass.cascade.detectMultiScale(sized, windows, SCALE_STEP, 0, 0, cv::Size(least, least));
    // OpenCV doesn't guarantee an order.
    std::sort(windows.begin(), windows.end(), [](const cv::Rect &a, const cv::Rect &b) {
        return a.width != b.width ? a.width < b.width : a.y != b.y ? a.y < b.y : a.x < b.x;
    });
    return windows;
}

std::vector<face_box> boxes_of(const face_pass &how, const std::vector<cv::Rect> &windows)
{
    std::vector<int> labels;
    int count = windows.empty() ? 0 : cv::partition(windows, labels, cv::SimilarRects(SIMILAR));
    std::vector<face_box> boxes(static_cast<size_t>(count), face_box{0, 0, 0, 0});
    for (size_t i = 0; i < windows.size(); i++) {
        face_box &box = boxes[static_cast<size_t>(labels[i])];
        box.x += static_cast<float>(windows[i].x);
        box.y += static_cast<float>(windows[i].y);
        box.size += static_cast<float>(windows[i].width);
        box.support++;
    }
    const float enlarge = static_cast<float>(how.enlarge), pad = static_cast<float>(how.pad);
    for (face_box &box : boxes) {
        const float n = static_cast<float>(box.support) * enlarge;
        box.size /= n;
        box.x = box.x / n - pad;
        box.y = box.y / n - pad;
        if (how.mirrored)
            box.x = SIDE - box.x - box.size;
    }
    std::stable_sort(boxes.begin(), boxes.end(), [](const face_box &a, const face_box &b) {
        return a.support != b.support ? a.support > b.support : a.size > b.size;
    });
    return boxes;
}
} // namespace

struct face_finder {
    std::vector<loaded_pass> passes;
};

int face_finder_open(face_finder **finder, const char *folder, const face_pass *passes, int count,
                     error *err)
{
    *finder = nullptr;
    try {
        one_thread_in_opencv();
        face_finder *f = new face_finder;
        *finder = f;
        f->passes.resize(static_cast<size_t>(count));
        for (int i = 0; i < count; i++) {
            const std::string path = std::string(folder) + "/" + passes[i].cascade;
            loaded_pass &pass = f->passes[static_cast<size_t>(i)];
            pass.how = passes[i];
            if (access(path.c_str(), R_OK) == 0 && pass.cascade.load(path))
                continue;
            face_finder_close(f);
            *finder = nullptr;
            return error_set(err, ENOENT,
                             "cannot load the cascade %s: install the package opencv-data, or set "
                             "the param cascades to the folder that holds it",
                             path.c_str());
        }
        return 0;
    } catch (const std::exception &e) {
        face_finder_close(*finder);
        *finder = nullptr;
        return error_set(err, EINVAL, "cannot load cascades from %s: %s", folder, e.what());
    }
}

void face_finder_close(face_finder *finder)
{
    delete finder;
}

int face_finder_detect(face_finder *finder, int pass, const uint8_t *pixels, face_box *boxes,
                       int most, int *found, error *err)
{
    try {
        loaded_pass &how = finder->passes.at(static_cast<size_t>(pass));
        const std::vector<face_box> all = boxes_of(how.how, raw_windows(how, pixels));
        *found = std::min(most, static_cast<int>(all.size()));
        std::copy(all.begin(), all.begin() + *found, boxes);
        return 0;
    } catch (const std::bad_alloc &) {
        return error_set(err, ENOMEM, "out of memory detecting faces");
    } catch (const std::exception &e) {
        return error_set(err, EINVAL, "cannot detect faces: %s", e.what());
    }
}
